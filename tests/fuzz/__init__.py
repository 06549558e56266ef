"""The fuzzer: targets that hand arbitrary bytes to whatever reads files; `./dev fuzz` runs them."""
