"""Telecom: what is wrong with a phone when a task begins, and what its end is looked at with."""

from __future__ import annotations

from agentbench.tools.tau2.phone import (
    BROKEN_APN,
    DEVICE,
    PHONE,
    around,
    change,
    change_around,
    data_works,
    device,
    mms_works,
    search_network,
    speed,
)
from agentbench.tools.tau2.phone_actions import VPN, airplane_mode, with_permission
from agentbench.tools.tau2.world import World


def set_user_info(world: World, name: str, phone_number: str) -> None:
    """A task's beginning: whose phone it is."""
    change_around(world, name=name, phone_number=phone_number)


def set_user_location(world: World, abroad: bool) -> None:
    """A task's beginning: where the user is."""
    change_around(world, is_abroad=abroad)


def turn_airplane_mode_on(world: World) -> None:
    """A task's beginning."""
    airplane_mode(world, True)


def turn_airplane_mode_off(world: World) -> None:
    """A task's beginning."""
    airplane_mode(world, False)


def turn_data_on(world: World) -> None:
    """A task's beginning."""
    change(world, data_enabled=True)
    search_network(world)


def turn_data_off(world: World) -> None:
    """A task's beginning."""
    change(world, data_enabled=False)
    search_network(world)


def turn_roaming_on(world: World) -> None:
    """A task's beginning."""
    change(world, roaming_enabled=True)
    search_network(world)


def turn_roaming_off(world: World) -> None:
    """A task's beginning."""
    change(world, roaming_enabled=False)
    search_network(world)


def turn_data_saver_mode_on(world: World) -> None:
    """A task's beginning."""
    change(world, data_saver_mode=True)


def turn_data_saver_mode_off(world: World) -> None:
    """A task's beginning."""
    change(world, data_saver_mode=False)


def unseat_sim_card(world: World) -> None:
    """A task's beginning: the SIM card does not sit right."""
    change(world, sim_card_missing=True)
    search_network(world)


def lock_sim_card(world: World, mode: str) -> None:
    """A task's beginning: the SIM card asks for its PIN or PUK."""
    change(world, sim_card_status=f"locked_{mode}")
    search_network(world)


def break_apn_settings(world: World) -> None:
    """A task's beginning: an access point that does not exist."""
    world.user.edit(PHONE, DEVICE)["active_apn_settings"]["apn_name"] = BROKEN_APN
    search_network(world)


def break_apn_mms_setting(world: World) -> None:
    """A task's beginning: no address for picture messages."""
    world.user.edit(PHONE, DEVICE)["active_apn_settings"]["mmsc_url"] = None


def break_vpn(world: World) -> None:
    """A task's beginning: a slow VPN is connected."""
    change(world, vpn_connected=True, vpn_details={**VPN, "server_performance": "poor"})


def set_wifi_calling(world: World, enabled: bool, mms_over_wifi: bool | None = None) -> None:
    """A task's beginning: whether calls, and picture messages too, go over Wi-Fi."""
    change(world, wifi_calling_enabled=enabled)
    if mms_over_wifi is not None:
        change(world, wifi_calling_mms_over_wifi=mms_over_wifi)


def remove_app_permission(world: World, app_name: str, permission: str) -> None:
    """A task's beginning: an app may do less."""
    with_permission(world, app_name, permission, False)


def assert_airplane_mode_status(world: World, expected_status: bool) -> bool:
    """Whether airplane mode is as expected."""
    return device(world)["airplane_mode"] == expected_status


def assert_service_status(world: World, expected_status: str) -> bool:
    """Whether the connection to the cellular network is as expected."""
    return device(world)["network_connection_status"] == expected_status


def assert_mobile_data_status(world: World, expected_status: bool) -> bool:
    """Whether mobile data gets through, or does not, as expected."""
    return data_works(world) == expected_status


def assert_mobile_roaming_status(world: World, expected_status: bool) -> bool:
    """Whether data roaming is set as expected."""
    return device(world)["roaming_enabled"] == expected_status


def assert_mobile_data_saver_mode_status(world: World, expected_status: bool) -> bool:
    """Whether data saver is set as expected."""
    return device(world)["data_saver_mode"] == expected_status


def assert_internet_speed(world: World, expected_speed: float, expected_desc: str | None = None) -> bool:
    """Whether mobile data is at least this fast and, where that is given, called so."""
    found = speed(world)
    if found.mbps is None:
        return False
    return found.mbps >= expected_speed and expected_desc in (None, found.name)


def assert_internet_not_excellent(world: World) -> bool:
    """Whether mobile data could be faster."""
    return speed(world).name != "excellent"


def assert_can_send_mms(world: World, expected_status: bool) -> bool:
    """Whether pictures can be sent, or cannot, as expected."""
    return mms_works(world) == expected_status


def assert_mobile_data_usage_exceeded(world: World, expected_status: bool) -> bool:
    """Whether the plan's data is used up, or is not, as expected."""
    return around(world)["mobile_data_usage_exceeded"] == expected_status
