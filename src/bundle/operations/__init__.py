"""The use cases, one module each: from an API and a bundle to a result, without printing."""
