"""Ray Data: the datasets that a legacy trainer was given, and what it did to them before the workers saw them."""
