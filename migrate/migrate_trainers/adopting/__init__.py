"""`--adopt`: scripts that train without Ray become TorchTrainer programs.

An entry is found (`lightning.py` and its like, one a framework), with the region in which it trains (`region.py`). The
statements of the region are read (`lines.py`), it is decided which of them train (`moving.py`), and those become a
train function (`train_function.py`), which the driver gives to a TorchTrainer (`driver.py`).
"""
