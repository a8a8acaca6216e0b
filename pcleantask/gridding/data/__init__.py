"""What is read of MeasurementSets, and how: rows and channels, frames, correlations; both engines ask here."""
