"""HTML pages of studies and runs, and the export to CSV and Parquet."""
