"""The outgoing queue."""
