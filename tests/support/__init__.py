"""Code that tests share: traffic, clients, lakehouses. No test imports another test."""
