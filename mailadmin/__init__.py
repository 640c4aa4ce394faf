"""What is stored and decided: the Django project, one small app per feature."""
