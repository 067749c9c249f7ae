"""``sparsweep store``: what lies in a store, whether it is whole, what can go, and copies of it."""
