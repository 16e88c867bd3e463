"""What is to be done so that a destination holds a bundle, and what that will run; nothing here writes."""
