"""Do abilities appear with size: sudden, smooth, or by chance."""
