"""Copies of the original rights outside the store, and what is found from them."""
