//! Waits until everybody is there and says so, or until there is one reason for nobody to begin.
//!
//! A process is ready once it has met all the others, and goes once all the others are ready. Until it goes it may
//! refuse, so nobody begins while another still can; whoever refuses tells everybody it knows, in the words of
//! the process that found the reason.

use std::{
    net::{Shutdown, TcpStream},
    sync::mpsc::Receiver,
    time::Instant,
};

use super::{
    ClusterError, Peer,
    hello::Run,
    link::{Event, Word, say},
    me::Me,
    text::plain,
    wire::after,
};

/// How far a peer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Absent,
    Met,
    Ready,
    Go,
    /// Nothing more will come from it.
    Gone,
}

/// What is known of one peer.
#[derive(Debug)]
struct Place {
    process: usize,
    stage: Stage,
    stream: Option<TcpStream>,
    generation: Option<u64>,
    /// Why it was dialled in vain, the last time.
    why: Option<String>,
    /// It knows that we refuse.
    told: bool,
}

/// This process among its peers.
pub(super) struct Gathering<'a> {
    me: &'a Me,
    peers: Vec<Place>,
    /// Sockets of a second process with an index that was taken.
    doubles: Vec<TcpStream>,
    run: Option<Run>,
    stage: Stage,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(me: &'a Me) -> Self {
        let others = (0..me.settings.processes).filter(|process| *process != me.settings.process);
        let peers = others.map(|process| Place {
            process,
            stage: Stage::Absent,
            stream: None,
            generation: None,
            why: None,
            told: false,
        });
        Gathering { me, peers: peers.collect(), doubles: Vec::new(), run: me.run, stage: Stage::Met }
    }

    /// The run and the sockets by index, once everybody may begin.
    pub(super) fn gather(mut self, events: &Receiver<Event>) -> Result<(Run, Vec<Option<TcpStream>>), ClusterError> {
        match self.wait_for_all(events) {
            Ok(run) => Ok((run, self.into_sockets())),
            Err(error) => {
                self.refuse(&error, events);
                Err(error)
            }
        }
    }

    fn wait_for_all(&mut self, events: &Receiver<Event>) -> Result<Run, ClusterError> {
        let mut deadline = after(self.me.settings.patience);
        loop {
            if self.stage == Stage::Met && self.all_are(Stage::Met) {
                let generation = self.known_run()?.generation;
                self.step(Stage::Ready, &Word::Ready { generation });
                // Everybody is there: the last words are a matter of moments, even at the end of the patience.
                deadline = deadline.max(after(self.me.settings.reply));
            }
            if self.stage == Stage::Ready && self.all_are(Stage::Ready) {
                self.check_runs()?;
                self.step(Stage::Go, &Word::Go);
            }
            if self.stage == Stage::Go && self.all_are(Stage::Go) {
                return self.known_run();
            }
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => self.take(event)?,
                Err(_) => return Err(self.overdue()),
            }
        }
    }

    fn all_are(&self, stage: Stage) -> bool {
        self.peers.iter().all(|peer| peer.stage >= stage && peer.stage != Stage::Gone)
    }

    fn step(&mut self, stage: Stage, word: &Word) {
        self.stage = stage;
        self.peers.iter().filter_map(|peer| peer.stream.as_ref()).for_each(|stream| say(stream, word));
    }

    fn known_run(&self) -> Result<Run, ClusterError> {
        self.run.ok_or_else(|| ClusterError::OtherRun(self.me.peer(0)))
    }

    fn check_runs(&self) -> Result<(), ClusterError> {
        let generation = self.known_run()?.generation;
        match self.peers.iter().find(|peer| peer.generation != Some(generation)) {
            Some(peer) => Err(ClusterError::OtherRun(self.me.peer(peer.process))),
            None => Ok(()),
        }
    }

    fn take(&mut self, event: Event) -> Result<(), ClusterError> {
        match event {
            Event::Tried { peer, why } => self.change(peer, |place| place.why = Some(why)),
            Event::Linked { peer, stream, run } => self.seat(peer, stream, run)?,
            Event::Disagreed { peer, error } => {
                peer.into_iter().for_each(|peer| self.change(peer, Place::leave));
                return Err(error);
            }
            Event::Left { peer } => {
                self.change(peer, Place::leave);
                return Err(ClusterError::Left(self.me.peer(peer)));
            }
            Event::Said { peer, word: Word::Ready { generation } } => self.change(peer, |place| {
                place.stage = Stage::Ready;
                place.generation = Some(generation);
            }),
            Event::Said { peer, word: Word::Go } => self.change(peer, |place| place.stage = Stage::Go),
            Event::Said { peer, word: Word::Refused { by, reason } } => {
                self.change(peer, Place::leave);
                return Err(ClusterError::Refused { peer: self.me.peer(by), reason: plain(&reason, 1000) });
            }
        }
        Ok(())
    }

    fn change(&mut self, process: usize, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.peers.iter_mut().find(|peer| peer.process == process) {
            change(place);
        }
    }

    fn seat(&mut self, process: usize, stream: TcpStream, run: Option<Run>) -> Result<(), ClusterError> {
        self.run = self.run.or(run);
        let Some(place) = self.peers.iter_mut().find(|peer| peer.process == process) else { return Ok(()) };
        match &place.stream {
            None => {
                place.stage = Stage::Met;
                place.stream = Some(stream);
                Ok(())
            }
            Some(first) => {
                let [here, there] = [address_of(first), address_of(&stream)];
                self.doubles.push(stream);
                Err(ClusterError::Duplicate { process, here, there })
            }
        }
    }

    /// Patience ran out.
    fn overdue(&mut self) -> ClusterError {
        if self.stage >= Stage::Ready {
            let waiting = self.peers.iter().filter(|peer| peer.stage < self.stage);
            let late: Vec<_> = waiting.map(|peer| self.me.peer(peer.process).to_string()).collect();
            return ClusterError::Unfinished(late.join(", "));
        }
        let missing: Vec<_> = self.peers.iter().filter(|p| p.stage == Stage::Absent).map(|p| self.absent(p)).collect();
        // They had their time: nobody waits once more, to tell them.
        self.peers.iter_mut().filter(|peer| peer.stage == Stage::Absent).for_each(Place::leave);
        ClusterError::Missing { missing: plain(&missing.join(", "), 2000), patience: self.me.settings.patience }
    }

    fn absent(&self, place: &Place) -> String {
        let Peer { process, address } = self.me.peer(place.process);
        match &place.why {
            Some(why) => format!("process {process} ({address}: {why})"),
            None => format!("process {process} ({address})"),
        }
    }

    /// Tells everybody who is there, or comes within the grace, why we cannot begin, and waits until they know.
    fn refuse(&mut self, error: &ClusterError, events: &Receiver<Event>) {
        let deadline = after(self.me.settings.grace);
        let word = self.refusal(error);
        loop {
            if self.stage < Stage::Go {
                self.tell(&word);
            }
            if self.stage == Stage::Go || self.peers.iter().all(|peer| peer.stage == Stage::Gone) {
                break;
            }
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => drop(self.take(event)), // one reason is enough
                Err(_) => break,
            }
        }
        self.close();
    }

    fn refusal(&self, error: &ClusterError) -> Word {
        match error {
            ClusterError::Refused { peer, reason } => Word::Refused { by: peer.process, reason: reason.clone() },
            _ => Word::Refused { by: self.me.settings.process, reason: plain(&error.to_string(), 1000) },
        }
    }

    fn tell(&mut self, word: &Word) {
        for place in self.peers.iter_mut().filter(|place| !place.told) {
            if let Some(stream) = &place.stream {
                say_last(stream, word);
                place.told = true;
            }
        }
        self.doubles.drain(..).for_each(|stream| say_last(&stream, word));
    }

    /// Ends the threads that still read.
    fn close(&self) {
        for stream in self.peers.iter().filter_map(|peer| peer.stream.as_ref()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn into_sockets(self) -> Vec<Option<TcpStream>> {
        let mut sockets: Vec<_> = self.peers.into_iter().map(|peer| peer.stream).collect();
        sockets.insert(self.me.settings.process, None);
        sockets
    }
}

impl Place {
    fn leave(&mut self) {
        self.stage = Stage::Gone;
    }
}

fn say_last(stream: &TcpStream, word: &Word) {
    say(stream, word);
    let _ = stream.shutdown(Shutdown::Write);
}

fn address_of(stream: &TcpStream) -> String {
    stream.peer_addr().map_or("a closed socket".into(), |address| address.to_string())
}
