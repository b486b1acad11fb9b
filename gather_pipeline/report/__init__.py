"""Tables and plots about what the pipeline did."""
