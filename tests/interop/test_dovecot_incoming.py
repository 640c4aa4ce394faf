"""Mail that other servers bring to the mx listener for a domain whose mailboxes a real Dovecot keeps."""
