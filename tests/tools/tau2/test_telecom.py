"""What becomes of a carrier's records, and of a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentbench.errors import ToolError
from agentbench.tools.tau2.phone import speed
from agentbench.tools.tau2.telecom_tools import TELECOM
from agentbench.tools.tau2.world import World

LINE = {"customer_id": "C1", "line_id": "L1"}


@pytest.fixture
def carrier(world: Callable[[str], World]) -> World:
    """Ann's phone, at home."""
    found = world("telecom")
    TELECOM.call(found, "set_user_info", {"name": "Ann Lee", "phone_number": "555"})
    return found


def call(carrier: World, name: str, **arguments: object) -> object:
    return TELECOM.call(carrier, name, arguments)


def mbps(carrier: World) -> float | None:
    return speed(carrier).mbps


def test_a_suspended_line_has_no_service_until_the_phone_looks_for_it_again(carrier: World) -> None:
    call(carrier, "suspend_line", **LINE, reason="unpaid")
    call(carrier, "reboot_device")
    assert TELECOM.checks["assert_service_status"](carrier, expected_status="no_service")
    call(carrier, "resume_line", **LINE)
    call(carrier, "reboot_device")
    assert TELECOM.checks["assert_service_status"](carrier, expected_status="connected")


def test_data_abroad_takes_roaming_on_the_phone_and_on_the_line(carrier: World) -> None:
    call(carrier, "set_user_location", abroad=True)
    assert mbps(carrier) is None
    call(carrier, "toggle_roaming")
    assert mbps(carrier) is None
    call(carrier, "enable_roaming", **LINE)
    assert mbps(carrier) == 275.0  # the middle of 50 and 500, signal excellent


def test_speed_goes_down_with_data_saver_a_slow_vpn_and_older_networks(carrier: World) -> None:
    assert mbps(carrier) == 220.0  # 275 x 0.8: the signal is good
    call(carrier, "toggle_data_saver_mode")
    assert mbps(carrier) == 44.0  # x 0.2
    call(carrier, "break_vpn")
    assert mbps(carrier) == 4.4  # x 0.1
    call(carrier, "set_network_mode_preference", mode="2g_only")
    assert speed(carrier) == (0.0, "very poor")  # 0.25 x 0.2 x 0.2 x 0.1 = 0.001


def test_data_that_is_used_up_comes_back_with_a_refuel_on_the_next_bill(carrier: World) -> None:
    call(carrier, "set_data_usage", **LINE, data_used_gb=6.0)
    assert mbps(carrier) is None
    call(carrier, "refuel_data", **LINE, gb_amount=2.0)
    assert mbps(carrier) == 220.0
    (newest, _) = call(carrier, "get_bills_for_customer", customer_id="C1")  # type: ignore[misc]
    assert (newest["status"], newest["total_due"]) == ("Draft", 6.0)  # 2 GB at 3 dollars


def test_a_payment_request_reaches_the_phone_and_its_payment_the_bill(carrier: World) -> None:
    call(carrier, "send_payment_request", customer_id="C1", bill_id="B1")
    assert call(carrier, "check_payment_request") == {"bill_id": "B1", "amount_due": 20.0, "paid": False}
    call(carrier, "make_payment")
    assert TELECOM.checks["assert_no_overdue_bill"](carrier, overdue_bill_id="B1")
    with pytest.raises(ToolError, match="no payment was asked for"):
        call(carrier, "make_payment")


def test_broken_access_points_are_mended_by_a_reset_and_a_restart(carrier: World) -> None:
    call(carrier, "break_apn_settings")
    call(carrier, "reset_apn_settings")
    assert mbps(carrier) is None
    call(carrier, "reboot_device")
    assert mbps(carrier) == 275.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("break_apn_mms_setting", {}),
        ("set_wifi_calling", {"enabled": True, "mms_over_wifi": True}),
        ("remove_app_permission", {"app_name": "messaging", "permission": "sms"}),
        ("set_network_mode_preference", {"mode": "2g_only"}),
        ("unseat_sim_card", {}),
        ("turn_airplane_mode_on", {}),
    ],
)
def test_pictures_are_stopped_by_any_one_thing(carrier: World, name: str, arguments: dict) -> None:
    assert TELECOM.checks["assert_can_send_mms"](carrier, expected_status=True)
    call(carrier, name, **arguments)
    assert TELECOM.checks["assert_can_send_mms"](carrier, expected_status=False)


def test_a_locked_card_is_not_mended_by_reseating_it(carrier: World) -> None:
    call(carrier, "lock_sim_card", mode="pin")
    call(carrier, "reseat_sim_card")
    assert call(carrier, "check_sim_status") == {"sim_card": "locked_pin"}
    assert mbps(carrier) is None


def test_lines_of_other_customers_are_refused(carrier: World) -> None:
    with pytest.raises(ToolError, match="no line 'L2'"):
        call(carrier, "enable_roaming", customer_id="C1", line_id="L2")
    with pytest.raises(ToolError, match="'X1' does not"):
        call(carrier, "get_details_by_id", id="X1")
