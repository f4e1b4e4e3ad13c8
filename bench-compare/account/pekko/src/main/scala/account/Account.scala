package account

import org.apache.pekko
import pekko.actor.typed.{ ActorRef, Behavior }
import pekko.persistence.typed.PersistenceId
import pekko.persistence.typed.scaladsl.{ Effect, EventSourcedBehavior, ReplyEffect }

/** What application.conf gives to Jackson. */
trait CborSerializable

object Account {
  sealed trait Command extends CborSerializable
  final case class Deposit(cents: Long, replyTo: ActorRef[Balance]) extends Command
  final case class Withdraw(cents: Long, replyTo: ActorRef[Answer]) extends Command
  final case class GetBalance(replyTo: ActorRef[Balance]) extends Command

  sealed trait Answer extends CborSerializable
  final case class Balance(cents: Long) extends Answer
  final case class Overdrawn(balance: Long) extends Answer

  sealed trait Event extends CborSerializable
  final case class Deposited(cents: Long) extends Event
  final case class Withdrawn(cents: Long) extends Event

  final case class State(balance: Long) extends CborSerializable

  def apply(id: String): Behavior[Command] =
    EventSourcedBehavior.withEnforcedReplies[Command, Event, State](
      PersistenceId("Account", id),
      emptyState = State(0),
      commandHandler = handle,
      eventHandler = apply)

  private def handle(state: State, command: Command): ReplyEffect[Event, State] =
    command match {
      case Deposit(cents, replyTo) =>
        Effect.persist(Deposited(cents)).thenReply(replyTo)(state => Balance(state.balance))
      case Withdraw(cents, replyTo) if cents > state.balance =>
        Effect.reply(replyTo)(Overdrawn(state.balance))
      case Withdraw(cents, replyTo) =>
        Effect.persist(Withdrawn(cents)).thenReply(replyTo)(state => Balance(state.balance))
      case GetBalance(replyTo) =>
        Effect.reply(replyTo)(Balance(state.balance))
    }

  private def apply(state: State, event: Event): State =
    event match {
      case Deposited(cents) => State(state.balance + cents)
      case Withdrawn(cents) => State(state.balance - cents)
    }
}
