# The scripts there need optax and PyTorch, which the tests do not.
collect_ignore = ["golden"]
