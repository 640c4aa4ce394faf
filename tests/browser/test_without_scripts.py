"""The way from the printed link to a delivered message in a browser that runs no scripts."""
