"""Every table of the installation: importing this module fills the shared metadata."""

from __future__ import annotations

import api.auth
import clearing.market.tables
import clearing.pricing.tables
import clearing.settlement.tables
import clearing.usage.tables
import ledger.tables
import registry.cards.tables
import registry.duties.tables
import registry.handover.tables
import registry.likeness.tables
import registry.national.tables
import registry.retention.tables
import registry.tables

MODULES = (
    ledger.tables,
    registry.tables,
    registry.cards.tables,
    registry.duties.tables,
    registry.handover.tables,
    registry.likeness.tables,
    registry.national.tables,
    registry.retention.tables,
    clearing.market.tables,
    clearing.usage.tables,
    clearing.pricing.tables,
    clearing.settlement.tables,
    api.auth,
)
TABLES = ledger.tables.metadata.sorted_tables
