"""What the verbs are made of: series, E(t) and C(t), blocks, figures, findings. Pure."""
