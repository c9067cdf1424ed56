"""What a mechanism is: prices, menus, allocation, the audit by definition; the papers' constructions."""
