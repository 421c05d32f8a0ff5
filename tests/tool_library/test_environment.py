import pytest


def test_a_car_is_shared_and_a_seat_is_not(tools):
    assert tools.trip_carbon_footprint(100, "diesel_car", 4)["total_kg"] == 16.5
    assert tools.trip_carbon_footprint(100, "coach", 4)["total_kg"] == 10.8
    assert tools.trip_carbon_footprint(100, "bicycle", 2, round_trip=True)["total_kg"] == 0


def test_what_does_not_run_costs_nothing(tools):
    assert tools.electricity_cost(2000, 0, 0.3) == {"kwh": 0.0, "cost": 0.0}
    assert tools.electricity_cost(1000, 1, 0.25, days=4) == {"kwh": 4.0, "cost": 1.0}


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "felt"),
    [(80, 40, 80), (86, 90, 105), (100, 40, 109), (110, 40, 136), (90, 50, 95), (96, 65, 121)],
)
def test_the_heat_index_is_that_of_the_weather_service_table(tools, fahrenheit, humidity, felt):
    found = tools.heat_index(fahrenheit, humidity, "fahrenheit")["heat_index"]
    assert found == pytest.approx(felt, abs=1)


def test_heat_beyond_the_index_is_refused(tools):
    assert tools.heat_index(60, 1, "celsius")["heat_index"] > 0
    with pytest.raises(ValueError, match="over 60"):
        tools.heat_index(61, 10, "celsius")


@pytest.mark.parametrize(
    ("celsius", "wind", "felt"),
    [(5, 5, 4), (0, 20, -5), (-10, 60, -23), (-25, 40, -41), (-40, 30, -59), (-50, 80, -81)],
)
def test_wind_chill_is_that_of_the_canadian_table(tools, celsius, wind, felt):
    found = tools.wind_chill(celsius, wind)["wind_chill"]
    assert found == pytest.approx(felt, abs=0.5)


@pytest.mark.parametrize(
    ("celsius", "risk"),
    [(-20, "low"), (-28, "high"), (-35, "very high"), (-40, "severe"), (-45, "extreme")],
)
def test_the_risk_of_frostbite_grows_with_the_cold(tools, celsius, risk):
    assert tools.wind_chill(celsius, 10)["frostbite_risk"] == risk


def test_air_that_is_full_of_water_is_at_its_dew_point(tools):
    for celsius in (-30, 0, 12.3, 45):
        assert tools.dew_point(celsius, 100) == celsius
    assert tools.dew_point(30, 30) == pytest.approx(10.5, abs=0.1)


@pytest.mark.parametrize(
    ("concentration", "pollutant", "index"),
    [
        (0, "pm25", 0),
        (9.09, "pm25", 50),
        (9.1, "pm25", 51),
        (35.4, "pm25", 100),
        (55.5, "pm25", 151),
        (125.5, "pm25", 201),
        (325.4, "pm25", 500),
        (54.9, "pm10", 50),
        (154, "pm10", 100),
        (255, "pm10", 151),
        (604, "pm10", 500),
    ],
)
def test_air_quality_has_the_breakpoints_of_the_epa(tools, concentration, pollutant, index):
    assert tools.air_quality_index(concentration, pollutant)["aqi"] == index


def test_air_beyond_the_index_is_refused(tools):
    with pytest.raises(ValueError, match="beyond the index"):
        tools.air_quality_index(325.5)


def test_a_millimetre_on_a_square_metre_is_a_litre(tools):
    assert tools.rainwater_harvest(1, 1, 1) == 1
    assert tools.rainwater_harvest(100, 0) == 0
