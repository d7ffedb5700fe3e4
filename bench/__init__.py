"""The performance that this project promises, measured side by side with what it is compared to: `make bench`."""
