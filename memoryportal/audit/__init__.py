"""The trail: who did what, in order, and provably unchanged. It never holds memory text, addresses or search words."""
