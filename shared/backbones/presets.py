"""Named sizes of the encoders."""

PRESETS: dict[str, dict[str, int]] = {
    "tiny": {"num_layers": 2, "hidden_dim": 128, "num_heads": 2, "ffn_dim": 512},
    "small": {"num_layers": 4, "hidden_dim": 312, "num_heads": 12, "ffn_dim": 1200},
    "base": {"num_layers": 12, "hidden_dim": 768, "num_heads": 12, "ffn_dim": 3072},
}
