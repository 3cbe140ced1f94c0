"""What people decided and did: one signed hash chain per key, merged by union, folded into a state."""
