"""The simulated shop: what a visitor does becomes messages in Kafka, and rows in PostgreSQL.

Walk it in this order: `plan` (what is asked for), `catalogue` and `customers` (who and what
there is), `shop` (prices, countries and ad spend as time goes on), `sessions` (what one
visitor does), `traffic` (when visitors come), `messages` (the wire format), `disorder` (what
the network does to them), `stream` (all of that in one iterator), `summary`; then the edge:
`pacing`, `kafka_sink`, `shop_database`, `run`, `__main__`.
"""
