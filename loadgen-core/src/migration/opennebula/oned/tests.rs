//! Answers of each age, and what is none.

use super::*;

fn oned() -> (tempfile::TempDir, Oned) {
    let folder = tempfile::tempdir().unwrap();
    let auth = folder.path().join("one_auth");
    fs::write(&auth, "oneadmin:hunter2\n").unwrap();
    let mut options = OpenNebulaOptions::new("7", "2");
    options.auth = Some(auth);
    options.endpoint = Some("http://127.0.0.1:1/RPC2".to_owned());
    let oned = Oned::new(&options).unwrap();
    (folder, oned)
}

fn answer(status: u16, body: &str) -> ApiAnswer {
    ApiAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
        asked_ns: 1,
        answered_ns: 2,
    }
}

fn array(elements: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n<params>\r\n\
         <param><value><array><data>\r\n{elements}\r\n</data></array></value></param>\r\n\
         </params>\r\n</methodResponse>\r\n"
    )
}

#[test]
fn answers_of_each_age() {
    let (_folder, oned) = oned();
    let result = |body: &str| oned.result::<i32>("one.vm.migrate", answer(200, body));
    let three = "<value><boolean>1</boolean></value>\r\n<value><i4>7</i4></value>\r\n\
                 <value><i4>0</i4></value>";
    assert_eq!(result(&array(three)).unwrap(), 7);
    let five = format!("{three}<value><i4>7</i4></value>\r\n<value><i8>12345678901</i8></value>");
    assert_eq!(result(&array(&five)).unwrap(), 7);
    let refused = |message: &str, code: i32| {
        let body = array(&format!(
            "<value><boolean>0</boolean></value><value><string>{message}</string></value>\
             <value><i4>{code}</i4></value>"
        ));
        result(&body).unwrap_err()
    };
    let wrong = refused("[VirtualMachineMigrate] Wrong state to perform action", 0x800);
    assert_eq!((wrong.may_be_done, wrong.is_passing), (false, false));
    assert!(wrong.error.to_string().contains("Wrong state to perform action"));
    let who = refused("[one.vm.migrate] User couldn't be authenticated, aborting call.", 0x100);
    assert!(who.error.to_string().contains("one_auth are not those"), "{}", who.error);
    let elects = refused("Cannot process request, no leader found", 0x2000);
    assert!(elects.is_passing && !elects.may_be_done);
    assert!(refused("oned cluster is replicating log", 0x2000).is_passing);
    let passed_on = refused("RPC call timed out and aborted", 0x2000);
    assert!(!passed_on.is_passing && passed_on.may_be_done);
    // A plain value is a string.
    let untyped =
        array("<value><boolean>1</boolean></value><value>6.6.0</value><value><i4>0</i4></value>");
    let version = oned.result::<String>("one.system.version", answer(200, &untyped));
    assert_eq!(version.unwrap(), "6.6.0");
}

#[test]
fn what_is_no_answer_is_told_without_the_password() {
    let (_folder, oned) = oned();
    let fault = "<methodResponse><fault><value><struct><member><name>faultCode</name><value>\
                 <i4>-501</i4></value></member><member><name>faultString</name><value><string>\
                 Not an integer, oneadmin:hunter2</string></value></member></struct></value>\
                 </fault></methodResponse>";
    let deep = "<a>".repeat(200_000);
    for (status, body, told) in [
        (200, fault, "Not an integer, «redacted» (fault -501)"),
        (200, "hunter2 says hello", "no XML-RPC: '«redacted» says hello'"),
        (200, "<methodResponse>", "no XML-RPC"),
        (200, &array("<value><boolean>1</boolean></value>"), "no XML-RPC"),
        (200, &deep, "no XML-RPC"),
        (503, "", "HTTP 503 Service Unavailable"),
        (
            200,
            &array("<value><boolean>1</boolean></value><value><string>x</string></value>"),
            "of another type",
        ),
    ] {
        let refusal = oned.result::<i32>("one.vm.migrate", answer(status, body)).unwrap_err();
        let text = refusal.error.to_string();
        assert!(text.contains(told) && !text.contains("hunter2"), "{told}: {text}");
        assert!(text.len() < 700, "{text}");
        assert_eq!(refusal.is_passing, status == 503);
    }
    let long = format!("<VM><ID>hunter2{}</ID></VM>", "x".repeat(100_000));
    let text = oned.read::<Machine>(INFO, &long).unwrap_err().error.to_string();
    assert!(text.len() < 1_000 && !text.contains("hunter2"), "{text}");
    assert!(!format!("{oned:?}").contains("hunter2"));
}

#[test]
fn who_asks_stands_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let auth = folder.path().join("one_auth");
    let mut options = OpenNebulaOptions::new("7", "2");
    options.auth = Some(auth.clone());
    options.endpoint = Some("http://127.0.0.1:1/RPC2".to_owned());
    let error = Oned::new(&options).unwrap_err().to_string();
    assert!(error.contains("one_auth") && error.contains("auth=FILE"), "{error}");
    fs::write(&auth, "hunter2").unwrap();
    let error = Oned::new(&options).unwrap_err().to_string();
    assert!(error.contains("not USER:PASSWORD") && !error.contains("hunter2"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_answer_is_too_odd(body in "\\PC*", inner in "[<>/a-z0-9 &;\"=]{0,80}") {
        let (_folder, oned) = oned();
        for body in [body, array(&inner), array(&format!("<value>{inner}</value>"))] {
            let _ = oned.result::<String>(INFO, answer(200, &body));
            let _ = oned.read::<Machine>(INFO, &body);
        }
    }
}
