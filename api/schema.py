"""Every table of the installation: importing this module fills the shared metadata."""

from __future__ import annotations

import api.apikey
import api.calling
import api.desk.tables
import api.office.tables
import api.sessions
import clearing.market.broker.tables
import clearing.market.delivery.tables
import clearing.market.demand.tables
import clearing.market.filing.tables
import clearing.market.gratis.tables
import clearing.market.matching.tables
import clearing.market.negotiation.tables
import clearing.market.profile.tables
import clearing.market.recommending.tables
import clearing.market.shelf.tables
import clearing.market.tables
import clearing.pricing.element.tables
import clearing.pricing.tables
import clearing.settlement.dispute.tables
import clearing.settlement.public_revenue.tables
import clearing.settlement.reporting.tables
import clearing.settlement.service_order.tables
import clearing.settlement.tables
import clearing.usage.service_level.tables
import clearing.usage.tables
import ledger.tables
import registry.afterlife.tables
import registry.cards.tables
import registry.duties.tables
import registry.foreign.tables
import registry.handover.tables
import registry.inspection.tables
import registry.intake.tables
import registry.likeness.tables
import registry.national.tables
import registry.retention.tables
import registry.rulebook.tables
import registry.search.tables
import registry.statistics.tables
import registry.tables

MODULES = (
    ledger.tables,
    registry.tables,
    registry.cards.tables,
    registry.duties.tables,
    registry.handover.tables,
    registry.likeness.tables,
    registry.rulebook.tables,
    registry.intake.tables,
    registry.afterlife.tables,
    registry.search.tables,
    registry.statistics.tables,
    registry.inspection.tables,
    registry.foreign.tables,
    registry.national.tables,
    registry.retention.tables,
    clearing.market.shelf.tables,
    clearing.market.tables,
    clearing.market.broker.tables,
    clearing.market.demand.tables,
    clearing.market.filing.tables,
    clearing.market.gratis.tables,
    clearing.market.matching.tables,
    clearing.market.negotiation.tables,
    clearing.market.delivery.tables,
    clearing.market.profile.tables,
    clearing.market.recommending.tables,
    clearing.usage.tables,
    clearing.usage.service_level.tables,
    clearing.pricing.tables,
    clearing.pricing.element.tables,
    clearing.settlement.tables,
    clearing.settlement.dispute.tables,
    clearing.settlement.service_order.tables,
    clearing.settlement.public_revenue.tables,
    clearing.settlement.reporting.tables,
    api.apikey,
    api.calling,
    api.desk.tables,
    api.office.tables,
    api.sessions,
)
TABLES = ledger.tables.metadata.sorted_tables
