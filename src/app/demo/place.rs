//! Where the demo's people live: places in every time zone of the United States.

/// A place, and what a file says of it.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// The town.
    pub locality: &'static str,
    /// ISO 3166-2.
    pub region: &'static str,
    /// A postal code there.
    pub postal_code: &'static str,
    /// The area code of its telephones.
    pub area_code: &'static str,
    /// The zone that a reader would name first; the law looks at every zone that the file permits.
    pub zone: &'static str,
}

macro_rules! homes {
    ($($locality:literal $region:literal $postal_code:literal $area_code:literal $zone:literal),+ $(,)?) => {
        &[$(Home {
            locality: $locality,
            region: $region,
            postal_code: $postal_code,
            area_code: $area_code,
            zone: $zone,
        }),+]
    };
}

/// The places, in an order that lets neighbours in the portfolio live far apart.
pub const HOMES: &[Home] = homes![
    "New York" "US-NY" "10001" "212" "America/New_York",
    "Chicago" "US-IL" "60601" "312" "America/Chicago",
    "Los Angeles" "US-CA" "90012" "213" "America/Los_Angeles",
    "Miami" "US-FL" "33101" "305" "America/New_York",
    "Denver" "US-CO" "80202" "303" "America/Denver",
    "Houston" "US-TX" "77002" "713" "America/Chicago",
    "Honolulu" "US-HI" "96813" "808" "Pacific/Honolulu",
    "Columbus" "US-OH" "43215" "614" "America/New_York",
    "Seattle" "US-WA" "98101" "206" "America/Los_Angeles",
    "Minneapolis" "US-MN" "55401" "612" "America/Chicago",
    "Phoenix" "US-AZ" "85003" "602" "America/Phoenix",
    "Atlanta" "US-GA" "30303" "404" "America/New_York",
    "New Orleans" "US-LA" "70112" "504" "America/Chicago",
    "Boston" "US-MA" "02108" "617" "America/New_York",
    "San Diego" "US-CA" "92101" "619" "America/Los_Angeles",
    "Salt Lake City" "US-UT" "84101" "801" "America/Denver",
    "Philadelphia" "US-PA" "19103" "215" "America/New_York",
    "Milwaukee" "US-WI" "53202" "414" "America/Chicago",
    "Anchorage" "US-AK" "99501" "907" "America/Anchorage",
    "Charlotte" "US-NC" "28202" "704" "America/New_York",
    "Portland" "US-OR" "97201" "503" "America/Los_Angeles",
    "St. Louis" "US-MO" "63101" "314" "America/Chicago",
    "Detroit" "US-MI" "48226" "313" "America/Detroit",
    "Albuquerque" "US-NM" "87102" "505" "America/Denver",
    "Richmond" "US-VA" "23219" "804" "America/New_York",
    "Dallas" "US-TX" "75201" "214" "America/Chicago",
    "Las Vegas" "US-NV" "89101" "702" "America/Los_Angeles",
    "Newark" "US-NJ" "07102" "973" "America/New_York",
    "Birmingham" "US-AL" "35203" "205" "America/Chicago",
    "San Juan" "US-PR" "00901" "787" "America/Puerto_Rico",
    "San Francisco" "US-CA" "94103" "415" "America/Los_Angeles",
    "Hartford" "US-CT" "06103" "860" "America/New_York",
    "Omaha" "US-NE" "68102" "402" "America/Chicago",
    "Boise" "US-ID" "83702" "208" "America/Boise",
    "Baltimore" "US-MD" "21201" "410" "America/New_York",
    "El Paso" "US-TX" "79901" "915" "America/Denver",
    "Indianapolis" "US-IN" "46204" "317" "America/Indiana/Indianapolis",
    "Spokane" "US-WA" "99201" "509" "America/Los_Angeles",
    "Nashville" "US-TN" "37203" "615" "America/Chicago",
    "Tampa" "US-FL" "33602" "813" "America/New_York",
];
