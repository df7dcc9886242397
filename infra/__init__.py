"""How the lakehouse is fetched, started, kept running and operated."""
