"""Every table of the installation: importing this module fills the shared metadata."""

from __future__ import annotations

import api.auth
import clearing.market.tables
import clearing.pricing.tables
import clearing.settlement.tables
import clearing.usage.tables
import ledger.tables
import registry.likeness.tables
import registry.national.tables
import registry.tables

MODULES = (
    ledger.tables,
    registry.tables,
    registry.likeness.tables,
    registry.national.tables,
    clearing.market.tables,
    clearing.usage.tables,
    clearing.pricing.tables,
    clearing.settlement.tables,
    api.auth,
)
TABLES = ledger.tables.metadata.sorted_tables
