"""The commands of ``xfer``, one module each."""
