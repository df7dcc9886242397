"""The simulated shop: what a visitor does becomes messages in Kafka, and rows in PostgreSQL.

Read the modules in this order: `plan` (what to produce), `catalogue` and `customers` (products,
campaigns and people), `shop` (prices, countries and ad spend over time), `sessions` (what one
visitor does), `traffic` (when visitors come), `messages` (the wire format), `disorder` (delays,
copies and damage), `stream` (all of that in one iterator), `summary`. The modules with I/O:
`pacing`, `kafka_sink`, `shop_database`, `run`, `__main__`.
"""
