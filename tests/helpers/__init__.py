"""What several tests share: small models, fake runs, screens without a GPU, the real window, and waiting."""
