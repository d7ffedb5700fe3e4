"""Legacy trainers that are given to a Tuner."""
