"""One resource in portable form: canonical JSON, pointers into it, references and secrets out of it, its order."""
