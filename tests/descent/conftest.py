# The script there needs optax, which the tests do not.
collect_ignore = ["golden"]
