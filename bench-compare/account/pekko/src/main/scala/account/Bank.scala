package account

import scala.concurrent.Future
import scala.concurrent.duration._

import org.apache.pekko
import pekko.Done
import pekko.actor.typed.ActorSystem
import pekko.actor.typed.scaladsl.Behaviors
import pekko.cluster.sharding.typed.scaladsl.{ ClusterSharding, Entity, EntityRef, EntityTypeKey }
import pekko.cluster.typed.{ Cluster, Join }
import pekko.util.Timeout

import com.typesafe.config.ConfigFactory

class Bank {
  import Account._

  private val system = ActorSystem[Nothing](Behaviors.empty[Nothing], "bank", ConfigFactory.load())
  private val sharding = ClusterSharding(system)
  private val accounts = EntityTypeKey[Command]("Account")
  private implicit val timeout: Timeout = 5.seconds

  Cluster(system).manager ! Join(Cluster(system).selfMember.address)
  sharding.init(Entity(accounts)(context => Account(context.entityId)))

  def deposit(id: String, cents: Long): Future[Balance] =
    account(id).ask(Deposit(cents, _))

  def withdraw(id: String, cents: Long): Future[Answer] =
    account(id).ask(Withdraw(cents, _))

  def balance(id: String): Future[Balance] =
    account(id).ask(GetBalance(_))

  def close(): Future[Done] = {
    system.terminate()
    system.whenTerminated
  }

  private def account(id: String): EntityRef[Command] =
    sharding.entityRefFor(accounts, id)
}
