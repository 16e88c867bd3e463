"""Who made a file, and for whose eyes: signatures, sealed secrets, statements and parts.

Needs the extra ``xfer[airgap]`` as soon as something is signed, checked or sealed; importing these modules does not.
"""
