"""What tests stand on: databases, a clock, a running product, servers on the far side."""
