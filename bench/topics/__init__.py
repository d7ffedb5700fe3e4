"""What is measured: a module a topic, each with a function `measure(rounds) -> Table`."""
