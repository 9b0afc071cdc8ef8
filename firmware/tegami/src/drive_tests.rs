//! Tests of the loop with sessions that do one odd thing each, over real connections.

use mail::{Mail, Now, Ticks};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::spawn_local};

use super::*;
use crate::{
    house::House,
    serve::serve,
    service::Service,
    testing::{Flash, Rig, block_on, rest},
};

/// Says much more than sockets hold, and gives its peer until `deadline` to read it.
struct Talker {
    deadline: Ticks,
}

impl Session for Talker {
    fn step(&mut self, io: &mut Io<'_, '_>, _: &mut dyn Mail) -> Want {
        io.output.push(&vec![b'x'; 32 << 20]);
        Want::Room
    }

    fn deadline(&self) -> Ticks {
        self.deadline
    }

    fn expire(&mut self, _: Now, _: &mut Output) -> Want {
        Want::Close
    }

    fn farewell(&mut self, _: &mut Output) {}
}

/// Says something and closes, whatever it is sent.
struct Closer;

impl Session for Closer {
    fn step(&mut self, io: &mut Io<'_, '_>, _: &mut dyn Mail) -> Want {
        io.output.push(b"552 too much\r\n");
        Want::Close
    }

    fn deadline(&self) -> Ticks {
        Ticks(u64::MAX)
    }

    fn expire(&mut self, _: Now, _: &mut Output) -> Want {
        Want::Close
    }

    fn farewell(&mut self, _: &mut Output) {}
}

/// Has its peer wait for a reply, whatever it sends meanwhile.
#[derive(Default)]
struct Napper {
    steps: u32,
    deadline: Ticks,
}

impl Session for Napper {
    fn step(&mut self, io: &mut Io<'_, '_>, _: &mut dyn Mail) -> Want {
        self.steps += 1;
        match self.steps {
            1 => {
                io.output.push(b"wait\r\n");
                self.deadline = io.now.ticks.after_ms(100);
                Want::Pause
            }
            2 if io.input.is_empty() => Want::Input,
            _ => Want::Close,
        }
    }

    fn deadline(&self) -> Ticks {
        self.deadline
    }

    fn expire(&mut self, now: Now, output: &mut Output) -> Want {
        assert!(self.steps == 1 && now.ticks >= self.deadline, "it was called in the middle of its nap");
        output.push(b"late\r\n");
        self.deadline = Ticks(u64::MAX);
        Want::Turn
    }

    fn farewell(&mut self, _: &mut Output) {}
}

/// Both ends of a connection.
async fn pair() -> (Wire, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Wire::Plain(listener.accept().await.unwrap().0), far)
}

/// Drives a session as those are driven who serve.
async fn drive(house: &House, wire: Wire, session: &mut (dyn Session + 'static)) {
    serve(wire, [127, 0, 0, 1].into(), house, &Closing::default(), session).await;
}

#[test]
fn a_session_that_waits_for_room_is_kept_to_its_deadline() {
    block_on(async {
        let rig = Rig::start(Flash::new("talker", Duration::ZERO)).await;
        let deadline = rig.serving.house.office.now().ticks.after_ms(100);
        let mut talker = Talker { deadline };
        let (near, _far) = pair().await;
        let driven = timeout(Duration::from_secs(5), drive(&rig.serving.house, near, &mut talker)).await;
        assert!(driven.is_ok(), "a peer that does not read is waited for");
    });
}

#[test]
fn a_session_that_has_its_peer_wait_is_not_called_for_its_input() {
    block_on(async {
        let rig = Rig::start(Flash::new("napper", Duration::ZERO)).await;
        let (near, mut far) = pair().await;
        far.write_all(b"impatient\r\n").await.unwrap();
        let house = Rc::clone(&rig.serving.house);
        let driven = spawn_local(async move { drive(&house, near, &mut Napper::default()).await });
        assert_eq!(rest(&mut far).await, "wait\r\nlate\r\n");
        driven.await.unwrap();
    });
}

#[test]
fn slow_readers_get_less_than_an_hour_for_what_a_session_may_have_pending() {
    let most = write_time_max(proto::limits::OUTPUT_BYTES_SOFT_MAX);
    assert!(most > WRITE_STALL_MAX && most < Duration::from_secs(3_600), "{most:?}");
}

/// A connection that is closed with input unread is reset, and the reset overtakes the last reply.
#[test]
fn the_last_reply_arrives_though_the_peer_is_still_sending() {
    block_on(async {
        let rig = Rig::start(Flash::new("closer", Duration::ZERO)).await;
        for _ in 0..10 {
            let (near, mut far) = pair().await;
            let house = Rc::clone(&rig.serving.house);
            let driven = spawn_local(async move { drive(&house, near, &mut Closer).await });
            far.write_all(&vec![b'x'; 16 << 20]).await.expect("nobody resets the connection");
            assert_eq!(rest(&mut far).await, "552 too much\r\n");
            drop(far);
            driven.await.unwrap();
        }
        // The same of a greeting that refuses.
        let (near, mut far) = pair().await;
        let configs = rig.serving.house.configs();
        let refusal = configs.refusal(Service::Smtp, proto::Reason::Unclaimed);
        let said = spawn_local(async move { crate::door::say_and_close(near, &refusal).await });
        far.write_all(&vec![b'x'; 16 << 20]).await.expect("nobody resets the connection");
        assert!(rest(&mut far).await.starts_with("421 "));
        said.await.unwrap();
    });
}
