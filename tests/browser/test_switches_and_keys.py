"""Language, theme, undo and the keyboard, as a person at a browser uses them."""
