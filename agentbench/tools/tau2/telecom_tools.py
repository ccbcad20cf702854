"""Telecom: the agent's tools and the customer's, as they are described, and what tasks begin and end with."""

from __future__ import annotations

from typing import Any

from agentbench.tools.tau2 import phone_actions as does
from agentbench.tools.tau2 import phone_states as states
from agentbench.tools.tau2 import telecom
from agentbench.tools.tau2.desk import TRANSFER
from agentbench.tools.tau2.phone import MODES, search_network, settle
from agentbench.tools.tau2.phone_actions import APN
from agentbench.tools.tau2.world import Domain, offered, text

_CUSTOMER = text("Id of the customer, such as 'C1001'.")
_LINE = text("Id of one of the customer's lines, such as 'L1001'.")
_BILL = text("Id of the bill, such as 'B1001'.")
_OF_LINE = {"customer_id": _CUSTOMER, "line_id": _LINE}
_APP = text("Name of the app, such as 'messaging'.")
_LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "default": 12, "description": "Most bills shown."}
_GIGABYTES: dict[str, Any] = {"type": "number", "description": "Gigabytes, more than 0."}
_ACCESS: dict[str, Any] = {
    "type": "object",
    "properties": {name: text(f"Such as {value!r}.") for name, value in APN.items()},
    "additionalProperties": False,
    "description": "Those to change; others get the carrier's own.",
}

_AGENT = (
    offered(
        telecom.get_customer_by_phone,
        "Find a customer by phone number.",
        {"phone_number": text("Phone number, such as '555-123-0000'.")},
    ),
    offered(telecom.get_customer_by_id, "Look up a customer.", {"customer_id": _CUSTOMER}),
    offered(
        telecom.get_customer_by_name,
        "Find customers by name and date of birth.",
        {"full_name": text("First and last name."), "dob": text("Date of birth, such as '1990-01-31'.")},
    ),
    offered(
        telecom.get_details_by_id,
        "Look up a customer, line, device, bill or plan by its id.",
        {"id": text("Its id; the first letter says what it is: C, L, D, B or P.")},
    ),
    offered(
        telecom.suspend_line,
        "Suspend an active line.",
        {**_OF_LINE, "reason": text("Why.")},
    ),
    offered(
        telecom.resume_line, "Make a suspended line active again. Whether that is allowed is not checked.", _OF_LINE
    ),
    offered(
        telecom.get_bills_for_customer,
        "A customer's bills, the newest first.",
        {"customer_id": _CUSTOMER, "limit": _LIMIT},
    ),
    offered(
        telecom.send_payment_request,
        "Ask a customer to pay a bill, one at a time. Whether the bill is overdue is not checked.",
        {"customer_id": _CUSTOMER, "bill_id": _BILL},
    ),
    offered(telecom.get_data_usage, "How much data a line has used this month and may use.", _OF_LINE),
    offered(telecom.enable_roaming, "Let a line roam outside the home network.", _OF_LINE),
    offered(telecom.disable_roaming, "Keep a line to the home network.", _OF_LINE),
    TRANSFER,
    offered(
        telecom.refuel_data,
        "Add data to a line for this month, at the plan's price per gigabyte.",
        {**_OF_LINE, "gb_amount": _GIGABYTES},
    ),
)

_CUSTOMERS = (
    offered(does.check_status_bar, "Look at the status bar at the top of your phone's screen."),
    offered(does.check_network_status, "Look at your phone's connections: SIM card, signal, kind of network, Wi-Fi."),
    offered(does.check_network_mode_preference, "Look up which kinds of network your phone looks for."),
    offered(
        does.set_network_mode_preference,
        "Choose which kinds of network your phone looks for.",
        {"mode": text("Kinds of network.", MODES)},
    ),
    offered(does.run_speed_test, "Measure how fast your mobile data is."),
    offered(does.toggle_airplane_mode, "Turn airplane mode on or off."),
    offered(does.check_sim_status, "Look up whether your SIM card works."),
    offered(does.reseat_sim_card, "Take your SIM card out and put it in again."),
    offered(does.toggle_data, "Turn mobile data on or off."),
    offered(does.toggle_roaming, "Turn data roaming on or off."),
    offered(does.check_data_restriction_status, "Look up whether data saver is on."),
    offered(does.toggle_data_saver_mode, "Turn data saver on or off."),
    offered(does.check_apn_settings, "Look up the access point settings of your phone."),
    offered(does.set_apn_settings, "Set access points by hand.", {"apn_settings": _ACCESS}),
    offered(does.reset_apn_settings, "Set access points back to the carrier's; restart the phone afterwards."),
    offered(does.check_wifi_status, "Look up whether Wi-Fi is on and connected."),
    offered(does.toggle_wifi, "Turn Wi-Fi on or off."),
    offered(does.check_wifi_calling_status, "Look up whether Wi-Fi calling is on."),
    offered(does.toggle_wifi_calling, "Turn Wi-Fi calling on or off."),
    offered(does.check_vpn_status, "Look up whether a VPN is connected, and how fast it is."),
    offered(does.connect_vpn, "Connect your VPN."),
    offered(does.disconnect_vpn, "Disconnect your VPN."),
    offered(does.check_installed_apps, "List the apps on your phone."),
    offered(does.check_app_status, "Look up an app.", {"app_name": _APP}),
    offered(does.check_app_permissions, "Look up what an app may do.", {"app_name": _APP}),
    offered(
        does.grant_app_permission,
        "Let an app do something.",
        {"app_name": _APP, "permission": text("What, such as 'storage' or 'sms'.")},
    ),
    offered(does.can_send_mms, "Try whether your messaging app can send a picture."),
    offered(does.reboot_device, "Restart your phone."),
    offered(does.check_payment_request, "Look up whether your carrier asks you to pay a bill, and how much."),
    offered(does.make_payment, "Pay the bill your carrier asks you to pay."),
)

_SETUP = (
    states.set_user_info,
    states.set_user_location,
    states.turn_airplane_mode_on,
    states.turn_airplane_mode_off,
    states.turn_data_on,
    states.turn_data_off,
    states.turn_roaming_on,
    states.turn_roaming_off,
    states.turn_data_saver_mode_on,
    states.turn_data_saver_mode_off,
    states.unseat_sim_card,
    states.lock_sim_card,
    states.break_apn_settings,
    states.break_apn_mms_setting,
    states.break_vpn,
    states.set_wifi_calling,
    states.remove_app_permission,
    telecom.set_data_usage,
    telecom.suspend_line_for_overdue_bill,
)

_CHECKS = (
    states.assert_airplane_mode_status,
    states.assert_service_status,
    states.assert_mobile_data_status,
    states.assert_mobile_roaming_status,
    states.assert_mobile_data_saver_mode_status,
    states.assert_internet_speed,
    states.assert_internet_not_excellent,
    states.assert_can_send_mms,
    states.assert_mobile_data_usage_exceeded,
    telecom.assert_data_refueling_amount,
    telecom.assert_line_status,
    telecom.assert_overdue_bill_exists,
    telecom.assert_no_overdue_bill,
)

TELECOM = Domain(
    tools=_AGENT,
    user_tools=_CUSTOMERS,
    setup={each.__name__: each for each in _SETUP} | {"simulate_network_search": search_network},
    checks={each.__name__: each for each in _CHECKS},
    settle=settle,
)
