"""Chooses what Lydia answers, thanks and says by herself, and when."""
