"""From records with labels to scores and thresholds, and to what can be promised of them."""
