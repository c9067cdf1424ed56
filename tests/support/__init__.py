"""What several tests share: enumerations from the definition, random programs and spaces, known values."""
