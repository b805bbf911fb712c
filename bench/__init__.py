"""What the README claims, measured: every figure beside a yardstick of the same run."""
