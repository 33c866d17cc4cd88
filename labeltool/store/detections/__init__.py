"""What models detected in long recordings, how it was detected, and the thresholds that were found for them."""
