"""StatisticsPublisher: leaves the statistics of a span where the runs after it find them."""
