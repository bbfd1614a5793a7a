//! The Reassigned Numbers Database at the command line: asked by a file, and its answers stored.

use crate::Desk;
use std::fs;

impl Desk {
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("text")
    }

    /// Three debtors of whom two share a number, one has none that was ever consented to, and one number is Canada's.
    fn with_numbers() -> Self {
        let desk = Self::new();
        desk.put(
            "debtors.csv",
            "debtor_id,given_name,postal_code,phone,line_type,account_id\n\
             D-1,Sample,33101,+13055550101,mobile,A-1\n\
             D-2,Sample,33101,+13055550102,mobile,A-2\n\
             D-3,Sample,33101,+13055550101,mobile,A-3\n\
             D-4,Sample,33101,+14165550104,mobile,A-4\n\
             D-5,Sample,33101,+13055550105,mobile,A-5\n",
        );
        let mut consents = "debtor_id,channel,scope,granted_at,source\n".to_owned();
        for (id, day) in
            [("D-1", "2024-02-01"), ("D-2", "2026-01-05"), ("D-3", "2026-01-10"), ("D-4", "2026-01-01")]
        {
            for scope in ["automated", "electronic"] {
                consents += &format!("{id},sms,{scope},{day}T15:00:00Z,x\n");
            }
        }
        desk.put("consents.csv", &consents);
        for (kind, file) in [("debtors", "debtors.csv"), ("consents", "consents.csv")] {
            assert!(desk.run(&["import", kind, file]).ok().contains(" 0 rejected"));
        }
        desk
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the program runs by the real clock")]
fn the_database_is_asked_by_a_file_and_its_answers_decide() {
    let desk = Desk::with_numbers();
    let said = desk.run(&["rnd", "export", "rnd.csv"]).ok();
    assert!(
        said.starts_with(
            "3 numbers due, 3 queries; not asked about: 0 checked lately, 0 out of use, 1 without"
        ),
        "{said}"
    );
    assert!(said.contains("1 not of the United States\nrnd.csv\n"), "{said}");
    assert_eq!(
        desk.get("rnd.csv"),
        "tn,date\n3055550101,2024-02-01\n3055550102,2026-01-05\n3055550101,2026-01-10\n"
    );

    // As the database's own interface calls them, with what nobody asked for, and with what cannot be stored.
    desk.put(
        "answers.csv",
        "tn,disconnected,companyId,dateProvided\n3055550101,yes,ABC,2024-02-01\n3055550102,no,ABC,2026-01-05\n\
         3055550101,no,ABC,2026-01-10\n3055550199,no,ABC,2026-01-10\n3055550102,perhaps,ABC,2026-01-05\n\
         305555010,no,ABC,2026-01-05\n",
    );
    let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let (today, noon) = (day.to_string(), format!("{}T17:00:00Z", day.tomorrow().expect("a day")));
    let import = ["rnd", "import", "answers.csv", "--checked-on", &today];
    let said = desk.run(&import).ok();
    assert!(said.contains("6 rows: 2 new, 1 changed, 0 there already, 3 rejected"), "{said}");
    let rejected = desk.get("answers.rejected.csv");
    let mut lines = rejected.lines();
    assert_eq!(lines.next(), Some("rejected_line,rejected_because,tn,disconnected,companyId,dateProvided"));
    assert_eq!(lines.next(), Some("5,/tn: is on no debtor's file,3055550199,no,ABC,2026-01-10"));
    assert_eq!(
        lines.next(),
        Some("6,\"/disconnected: expected yes, no or no_data\",3055550102,perhaps,ABC,2026-01-05")
    );
    assert!(
        lines.next().is_some_and(|line| line.starts_with("7,/tn: is not a North American telephone number"))
    );

    let before = desk.run(&["verify", "--log"]).ok();
    let said = desk.run(&import).ok();
    assert!(said.contains("6 rows: 0 new, 0 changed, 3 there already, 3 rejected"), "{said}");
    assert_eq!(desk.run(&["verify", "--log"]).ok(), before, "not an event more");
    // The mended row goes in by the file of rejected rows.
    desk.put("mended.csv", &rejected.replace("perhaps", "No"));
    let said = desk.run(&["rnd", "import", "mended.csv", "--checked-on", &today]).ok();
    assert!(said.contains("1 there already, 2 rejected"), "{said}");

    desk.put("list.csv", "debtor_id,channel\nD-1,sms\nD-2,sms\nD-3,sms\n");
    let said = desk.run(&["scrub", "list.csv", "--at", &noon]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[1]
            .contains(",block,,,us.fed.tcpa.reassigned-number,\"47 CFR 64.1200(m), 12 CFR 1006.6(d)(5)\""),
        "{said:?}"
    );
    assert!(lines[2].starts_with("D-2,sms,allow,") && lines[3].starts_with("D-3,sms,allow,"), "{said:?}");

    let said = desk.run(&["rnd", "export", "rnd.csv"]).ok();
    assert!(
        said.starts_with("0 numbers due, 0 queries; not asked about: 2 checked lately, 1 out of use"),
        "{said}"
    );
    assert_eq!(desk.get("rnd.csv"), "tn,date\n", "the earlier file is not left to be sent again");
}

#[test]
fn a_file_holds_no_more_rows_than_it_may_and_what_is_wrong_is_said() {
    let desk = Desk::with_numbers();
    let said =
        desk.run(&["rnd", "export", "out.csv", "--rows", "2", "--company-id", "ABC", "--no-head"]).ok();
    assert!(said.ends_with("\nout.csv\nout.2.csv\n"), "{said}");
    assert_eq!(desk.get("out.csv"), "3055550101,2024-02-01,ABC\n3055550102,2026-01-05,ABC\n");
    assert_eq!(desk.get("out.2.csv"), "3055550101,2026-01-10,ABC\n");
    assert_eq!(desk.run(&["rnd", "export", "x.csv", "--rows", "250001"]).code, Some(2));
    desk.put("answers.csv", "3055550101,2024-02-01,yes\n");
    assert_eq!(desk.run(&["rnd", "import", "answers.csv"]).code, Some(2), "the day of the query is needed");
    let said = desk.run(&["rnd", "import", "answers.csv", "--checked-on", "2026-11-01"]);
    assert!(said.code == Some(1) && said.error.contains("there is no column `tn`"), "{said:?}");
    desk.put(
        "lines.ndjson",
        "{\"tn\":\"3055550102\",\"date\":\"2026-01-05\",\"disconnected\":\"no_data\"}\n",
    );
    let said =
        desk.run(&["rnd", "import", "lines.ndjson", "--checked-on", "2026-11-01", "--source", "commercial"]);
    assert!(said.ok().contains("1 rows: 1 new"));
}
